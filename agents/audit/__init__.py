"""The audit: records that name the one before, a Merkle tree over them, checkpoints, witnesses, verification."""
