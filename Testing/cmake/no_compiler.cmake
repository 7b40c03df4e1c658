# Toolchain file for machines without a compiler. `project(MedEnhance)` asks for C and C++, as Slicer's template has it
# and Slicer's own package needs it; nothing of ours is compiled. Any program does as a compiler that is never called.

foreach(language C CXX)
  set(CMAKE_${language}_COMPILER "${CMAKE_COMMAND}")
  set(CMAKE_${language}_COMPILER_ID_RUN TRUE)
  set(CMAKE_${language}_COMPILER_FORCED TRUE)
endforeach()
