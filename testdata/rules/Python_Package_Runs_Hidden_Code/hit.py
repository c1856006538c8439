from setuptools import setup
import base64
exec(base64.b64decode("cHJpbnQoMSk="))
setup(name="plan")
