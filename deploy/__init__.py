"""The roof: command line, local stack, tables and demo; imports every floor and is imported by none."""
