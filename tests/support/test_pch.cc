// Only made for the headers that are compiled with it, in the way of the test programs: see CMakeLists.txt.
int main()
{
    return 0;
}
