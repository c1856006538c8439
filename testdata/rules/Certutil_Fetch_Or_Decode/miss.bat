certutil -hashfile setup.exe SHA256
