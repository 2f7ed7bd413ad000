"""From a load to what it needs: costs as they were measured, the reckoning, and how it is told; pure."""
