export STET_MODEL=m
check() {
    printf "$1" >in
    "$STET" correct --input=wrapped <in | cmp - in && echo same
}
check ''
check '\n'
check ' '
check 'a'
check 'a\n \n'
check 'a\n '
check 'a\r\n\r\nb\r'
check '\n\na\nb\n\n\nc\n\n'
