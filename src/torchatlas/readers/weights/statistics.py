"""Statistics of the tensors of a file: the one thing for which their data is read, one piece at a time.

Source for the sums: T. F. Chan, G. H. Golub, R. J. LeVeque, Updating formulae and a pairwise algorithm for computing
sample variances, 1979 (pieces are merged by count, mean and squared deviations).
"""
