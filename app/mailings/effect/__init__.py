"""What mailings brought about: control groups, tests of variants, results, and what is proven."""
