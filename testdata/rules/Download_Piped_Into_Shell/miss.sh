#!/bin/sh
curl -fsSL https://files.example.invalid/list.txt | sort > list.txt
sh build.sh
