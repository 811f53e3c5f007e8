export STET_MODEL=m
text='teh cat. I saw xdel alot\nfine\r\n\nxcut end teh'
printf "$text" | "$STET" correct --edits=text; echo
printf "$text" | "$STET" correct --edits text --color=always | od -An -c
# Not on a terminal: no colours, whatever the environment says.
printf 'teh\n' | TERM=xterm "$STET" correct --edits=text
printf 'teh\n' | NO_COLOR=1 "$STET" correct --edits=text --color always | od -An -c
