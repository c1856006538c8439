@echo off
echo done >> log.txt
certutil -hashfile a.txt SHA256
