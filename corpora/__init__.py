"""Recipes for public corpora and tables of facts, installed as the data package `wordgeo_corpora`."""
