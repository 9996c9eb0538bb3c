"""What the three scripts have in common on the command line."""
