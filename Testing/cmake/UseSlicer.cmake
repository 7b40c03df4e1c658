# What `include(${Slicer_USE_FILE})` gives an extension: a name, defaults, install folders, CTest and the macros.

if("${EXTENSION_NAME}" STREQUAL "")
  set(EXTENSION_NAME "${PROJECT_NAME}")
endif()
if("${EXTENSION_NAME}" STREQUAL "")
  message(FATAL_ERROR "No extension name: call project(<name>) before include(\${Slicer_USE_FILE})")
endif()

foreach(variable DEPENDS LICENSE_FILE README_FILE)
  if(NOT DEFINED EXTENSION_${variable})
    if(variable STREQUAL "DEPENDS")
      set(EXTENSION_DEPENDS "NA")
    else()
      set(EXTENSION_${variable} "${Slicer_${variable}}")
    endif()
  endif()
endforeach()
if(NOT DEFINED EXTENSION_ENABLED)
  set(EXTENSION_ENABLED 1)
endif()
set(EXTENSION_SOURCE_DIR "${CMAKE_SOURCE_DIR}")
set(EXTENSION_SUPERBUILD_BINARY_DIR "${CMAKE_BINARY_DIR}")
set(EXTENSION_BUILD_SUBDIRECTORY ".")

# On macOS a package is unpacked inside the application's bundle.
set(Slicer_BUNDLE_EXTENSIONS_LOCATION "")
if(APPLE)
  set(Slicer_BUNDLE_EXTENSIONS_LOCATION "Slicer.app/Contents/Extensions-${Slicer_REVISION}/${EXTENSION_NAME}/")
endif()
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR
  "${Slicer_INSTALL_ROOT}${Slicer_BUNDLE_EXTENSIONS_LOCATION}${Slicer_QTSCRIPTEDMODULES_LIB_DIR}")

include("${Slicer_CMAKE_DIR}/CompilePythonScript.cmake")
include("${Slicer_CMAKE_DIR}/PythonTests.cmake")
include("${Slicer_CMAKE_DIR}/ScriptedModule.cmake")

set_property(GLOBAL PROPERTY CTEST_TARGETS_ADDED 1) # no dashboard targets
include(CTest)
