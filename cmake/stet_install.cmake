# What `cmake --install` puts where. The programme and its manual page are installed by host/cli.
include(CMakePackageConfigHelpers)

set(STET_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/stet)

install(TARGETS stet EXPORT stet_targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES host/include/stet.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
# The default model; a tree without it is installed without it.
install(DIRECTORY models/stet-edge-en DESTINATION ${CMAKE_INSTALL_DATADIR}/stet/models OPTIONAL)

# find_package(stet) gives the target stet::stet.
install(EXPORT stet_targets NAMESPACE stet:: FILE stet-targets.cmake DESTINATION ${STET_CMAKE_DIR})
configure_package_config_file(cmake/stet-config.cmake.in ${CMAKE_BINARY_DIR}/stet-config.cmake
  INSTALL_DESTINATION ${STET_CMAKE_DIR})
# Until 1.0 a new minor version may change the interface.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/stet-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/stet-config.cmake ${CMAKE_BINARY_DIR}/stet-config-version.cmake
  DESTINATION ${STET_CMAKE_DIR})

# The paths in stet.pc count from where the file lies, so that `cmake --install --prefix` works.
file(RELATIVE_PATH STET_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/stet.pc.in ${CMAKE_BINARY_DIR}/stet.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/stet.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
