"""What each script leaves behind."""
