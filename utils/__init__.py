"""The method: regions, low-rank factorization, subspaces, editing, pictures, pages, files on disk.
No TensorFlow."""
