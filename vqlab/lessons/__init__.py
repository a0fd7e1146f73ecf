"""A room for each lesson, by its noun: its figures, its widgets (.py and .js side by side), its exercises.

A notebook ``notebooks/NN_noun.ipynb`` takes from ``vqlab.lessons.noun``, from the frame and from the lab. A room
imports no other room: what two lessons share moves down, into the frame or into the lab.
"""
