# slicerMacroBuildScriptedModule: checks what it is given, copies and installs it, registers the generic test.

macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY_SLICER "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  message(STATUS "Configuring Scripted module: ${MY_SLICER_NAME}")
  if(MY_SLICER_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: unknown keywords: ${MY_SLICER_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT DEFINED MY_SLICER_NAME)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: NAME is mandatory")
  endif()
  if(NOT Slicer_USE_PYTHONQT)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: ${MY_SLICER_NAME} needs a Slicer with Python")
  endif()
  foreach(file IN LISTS MY_SLICER_SCRIPTS MY_SLICER_RESOURCES)
    get_filename_component(path "${file}" ABSOLUTE)
    if(NOT EXISTS "${path}" AND NOT EXISTS "${path}.py")
      message(FATAL_ERROR "slicerMacroBuildScriptedModule(${MY_SLICER_NAME}): nonexistent file or directory '${file}'")
    endif()
  endforeach()

  # Modules lie flat unless WITH_SUBDIR puts them below the name of their source folder.
  set(scripted_module_subfolder "")
  set(scripted_module_install NO_INSTALL_SUBDIR)
  if(MY_SLICER_WITH_SUBDIR)
    get_filename_component(scripted_module_subfolder "${CMAKE_CURRENT_SOURCE_DIR}" NAME)
    string(PREPEND scripted_module_subfolder "/")
    set(scripted_module_install "")
  endif()
  ctkMacroCompilePythonScript(
    TARGET_NAME ${MY_SLICER_NAME}
    SCRIPTS ${MY_SLICER_SCRIPTS}
    RESOURCES ${MY_SLICER_RESOURCES}
    DESTINATION_DIR "${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}${scripted_module_subfolder}"
    INSTALL_DIR "${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}"
    ${scripted_module_install}
    )

  if(BUILD_TESTING AND MY_SLICER_WITH_GENERIC_TESTS)
    # Slicer writes a test file of its own for each module and runs it without a main window.
    file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/qSlicer${MY_SLICER_NAME}ModuleGenericTest.py" "")
    slicer_add_python_unittest(
      SCRIPT qSlicer${MY_SLICER_NAME}ModuleGenericTest.py
      SLICER_ARGS --no-main-window --disable-cli-modules
                  --additional-module-path ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}
      TESTNAME_PREFIX nomainwindow_
      )
  endif()
endmacro()
