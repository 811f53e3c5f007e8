# What needs no correction comes back byte for byte.
export STET_MODEL=m
check() {
    printf "$2" >in
    "$STET" correct <in >out || echo "exit $?"
    if cmp in out; then echo "$1: same"; fi
}
check crlf 'one\r\ntwo\r\n\r\nthree\r\n'
check no_final_newline 'one\ntwo'
check carriage_return_at_end 'one\r'
check lone_carriage_return 'one\rtwo\n'
check nul 'a\000b\000\n\000\n'
check invalid_utf8 '\377\376 a\303\n\342\202\n\355\240\200\n'
check blank_lines '\n\n  \n\t\n\r\n \r\n'
check tabs '  a \t b  \n'
check bom '\357\273\277one\n'
check empty ''
check one_newline '\n'
