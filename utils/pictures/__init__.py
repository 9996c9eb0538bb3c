"""Images, grids and plots."""
