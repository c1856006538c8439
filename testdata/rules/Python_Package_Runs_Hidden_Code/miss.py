from setuptools import setup
import re
version = re.search("a", open("a.py").read())
setup(name="plan", version=str(version))
