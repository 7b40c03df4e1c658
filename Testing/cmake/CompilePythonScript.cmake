# ctkMacroCompilePythonScript: copies scripts and resources into the build tree, each under its relative path, and
# installs the folder that they were copied to. Bytecode is left out (README.md).

macro(ctkMacroCompilePythonScript)
  cmake_parse_arguments(PYSCRIPT
    "NO_INSTALL_SUBDIR;GLOBAL_TARGET" "TARGET_NAME;SOURCE_DIR;DESTINATION_DIR;INSTALL_DIR" "SCRIPTS;RESOURCES" ${ARGN})
  foreach(variable TARGET_NAME SCRIPTS DESTINATION_DIR INSTALL_DIR)
    if("${PYSCRIPT_${variable}}" STREQUAL "")
      message(FATAL_ERROR "ctkMacroCompilePythonScript: ${variable} is mandatory")
    endif()
  endforeach()
  if(NOT PYSCRIPT_SOURCE_DIR)
    set(PYSCRIPT_SOURCE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
  endif()

  set(pyscript_scripts)
  foreach(file IN LISTS PYSCRIPT_SCRIPTS)
    # A script may be named without its extension.
    get_filename_component(extension "${file}" EXT)
    if(NOT extension MATCHES "py")
      string(APPEND file ".py")
    endif()
    list(APPEND pyscript_scripts "${file}")
  endforeach()
  _copy_at_build_time(Copy${PYSCRIPT_TARGET_NAME}PythonScriptFiles ${pyscript_scripts})
  _copy_at_build_time(Copy${PYSCRIPT_TARGET_NAME}PythonResourceFiles ${PYSCRIPT_RESOURCES})

  # The whole folder is installed, whoever put files there; without a trailing slash it would be nested in itself.
  set(pyscript_folder "${PYSCRIPT_DESTINATION_DIR}")
  if(PYSCRIPT_NO_INSTALL_SUBDIR)
    string(APPEND pyscript_folder "/")
  endif()
  install(DIRECTORY "${pyscript_folder}" DESTINATION "${PYSCRIPT_INSTALL_DIR}"
    COMPONENT RuntimeLibraries USE_SOURCE_PERMISSIONS)
endmacro()

# Called from the macro above, whose variables it reads. A file that two targets copy is refused here: in Slicer they race
# in a parallel build, now and then.
function(_copy_at_build_time target)
  set(copies)
  foreach(file IN LISTS ARGN)
    if(IS_ABSOLUTE "${file}")
      set(source "${file}")
      file(RELATIVE_PATH file "${CMAKE_CURRENT_BINARY_DIR}" "${file}")
    else()
      set(source "${PYSCRIPT_SOURCE_DIR}/${file}")
    endif()
    set(copy "${PYSCRIPT_DESTINATION_DIR}/${file}")
    get_property(copied_before GLOBAL PROPERTY SLICER_COPIED_FILES)
    if(copy IN_LIST copied_before)
      message(FATAL_ERROR "'${file}' is listed twice: two targets would copy it at once")
    endif()
    set_property(GLOBAL APPEND PROPERTY SLICER_COPIED_FILES "${copy}")
    add_custom_command(OUTPUT "${copy}" DEPENDS "${source}"
      COMMAND ${CMAKE_COMMAND} -E copy "${source}" "${copy}" COMMENT "Copying ${file}" VERBATIM)
    list(APPEND copies "${copy}")
  endforeach()
  if(copies)
    add_custom_target(${target} ALL DEPENDS ${copies})
  endif()
endfunction()
