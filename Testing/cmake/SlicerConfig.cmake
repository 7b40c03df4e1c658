# Stands in for the package that a Slicer build tree offers, as far as our own CMake files use it (see README.md).

set(Slicer_VERSION 5.12)
set(Slicer_REVISION 0)
set(Slicer_OS "${CMAKE_HOST_SYSTEM_NAME}")
set(Slicer_ARCHITECTURE "${CMAKE_HOST_SYSTEM_PROCESSOR}")
set(Slicer_USE_PYTHONQT ON)

# The same folders in the build tree and in the package.
set(Slicer_LIB_DIR "lib/Slicer-${Slicer_VERSION}")
set(Slicer_SHARE_DIR "share/Slicer-${Slicer_VERSION}")
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR "${Slicer_LIB_DIR}/qt-scripted-modules")
set(Slicer_INSTALL_ROOT "./")

# There is no Slicer to start: CTest entries are registered and looked at, never run.
if(NOT DEFINED Slicer_LAUNCHER_EXECUTABLE)
  set(Slicer_LAUNCHER_EXECUTABLE "Slicer")
endif()

set(Slicer_LICENSE_FILE "${CMAKE_CURRENT_LIST_DIR}/README.md")
set(Slicer_README_FILE "${CMAKE_CURRENT_LIST_DIR}/README.md")

set(Slicer_CMAKE_DIR "${CMAKE_CURRENT_LIST_DIR}")
set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/ExtensionConfig.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/ExtensionPackage.cmake")
