# One target per room: hopscope_room(NAME SOURCES … [ROOMS …] [LIBRARIES …]).
# A room may use only the rooms it names; tests/core/include_order_test.cc holds the same order against every #include.

add_library(hopscope_flags INTERFACE)
target_include_directories(hopscope_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(hopscope_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                       -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wimplicit-fallthrough -Wno-missing-field-initializers -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these for std::string and std::variant code that is right (GCC bugs 105651, 105562).
  target_compile_options(hopscope_flags INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()
if(HOPSCOPE_SANITIZE)
  target_compile_options(hopscope_flags INTERFACE -fsanitize=${HOPSCOPE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(hopscope_flags INTERFACE -fsanitize=${HOPSCOPE_SANITIZE})
endif()
target_compile_definitions(hopscope_flags INTERFACE HOPSCOPE_VERSION="${PROJECT_VERSION}")

function(hopscope_room name)
  cmake_parse_arguments(room "" "" "SOURCES;ROOMS;LIBRARIES" ${ARGN})
  if(room_SOURCES)
    add_library(hopscope_${name} STATIC ${room_SOURCES})
    set(scope PUBLIC)
  else()
    add_library(hopscope_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_link_libraries(hopscope_${name} ${scope} hopscope_flags ${room_LIBRARIES})
  foreach(room ${room_ROOMS})
    target_link_libraries(hopscope_${name} ${scope} hopscope_${room})
  endforeach()
endfunction()
