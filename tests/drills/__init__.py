"""The promises, tried: `python -m tests.drills` prints promise, drill, tries, and whether it held.

Each module is a promise. Its drills are functions of a ground, which is the interface in this process or the service
on a Ray node of its own, and yield findings. Nothing in the product knows of them.
"""
