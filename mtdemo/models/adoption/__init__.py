"""Adoption: trained heads of transformers' classifiers, with their weights, labels and habits."""
