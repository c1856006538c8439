@echo off
s^e^t a=1
e^c^h^o %a%
t^i^m^e^o^u^t /t 1
