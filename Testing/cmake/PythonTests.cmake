# slicer_add_python_test and slicer_add_python_unittest: CTest entries that start Slicer with the modules of this build.

macro(slicer_add_python_test)
  cmake_parse_arguments(PYTEST "" "TESTNAME_PREFIX;SCRIPT" "SLICER_ARGS;SCRIPT_ARGS" ${ARGN})
  _read_test_script()
  add_test(NAME ${pytest_ctest_name} COMMAND ${Slicer_LAUNCHER_EXECUTABLE} --no-splash --testing
    --additional-module-paths ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR} ${PYTEST_SLICER_ARGS}
    --python-script ${pytest_folder}/${pytest_name}.py ${PYTEST_SCRIPT_ARGS})
  set_property(TEST ${pytest_ctest_name} PROPERTY RUN_SERIAL TRUE)
endmacro()

macro(slicer_add_python_unittest)
  cmake_parse_arguments(PYTEST "" "TESTNAME_PREFIX;SCRIPT" "SLICER_ARGS" ${ARGN})
  _read_test_script()
  add_test(NAME ${pytest_ctest_name} COMMAND ${Slicer_LAUNCHER_EXECUTABLE} --no-splash --testing
    ${PYTEST_SLICER_ARGS} --additional-module-paths ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}
    --python-code "import slicer.testing; slicer.testing.runUnitTest(['${CMAKE_CURRENT_BINARY_DIR}', '${pytest_folder}'], '${pytest_name}')")
  set_property(TEST ${pytest_ctest_name} PROPERTY RUN_SERIAL TRUE)
endmacro()

# Slicer takes a bare file name (this folder's or a generated one) or an absolute path: the folder of a relative path
# would end up on sys.path as it is written, and the test could not be imported.
macro(_read_test_script)
  get_filename_component(pytest_name "${PYTEST_SCRIPT}" NAME_WE)
  get_filename_component(pytest_folder "${PYTEST_SCRIPT}" DIRECTORY)
  if("${pytest_folder}" STREQUAL "")
    set(pytest_folder "${CMAKE_CURRENT_SOURCE_DIR}")
  elseif(NOT IS_ABSOLUTE "${pytest_folder}")
    message(FATAL_ERROR "Test script '${PYTEST_SCRIPT}': give a bare name or an absolute path")
  endif()
  if(NOT EXISTS "${pytest_folder}/${pytest_name}.py" AND NOT EXISTS "${CMAKE_CURRENT_BINARY_DIR}/${pytest_name}.py")
    message(FATAL_ERROR "Test script '${PYTEST_SCRIPT}' does not exist")
  endif()
  set(pytest_ctest_name "py_${PYTEST_TESTNAME_PREFIX}${pytest_name}")
endmacro()
