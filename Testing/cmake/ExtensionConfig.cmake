# What `include(${Slicer_EXTENSION_GENERATE_CONFIG})` does for an extension without libraries: a config file by which
# other extensions find this build.

file(WRITE "${EXTENSION_SUPERBUILD_BINARY_DIR}/${EXTENSION_BUILD_SUBDIRECTORY}/${EXTENSION_NAME}Config.cmake"
  "set(${EXTENSION_NAME}_SOURCE_DIR \"${EXTENSION_SOURCE_DIR}\")\n")
