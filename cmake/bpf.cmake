# Compiles the programs of bpf/ for the kernel and puts each object into the library as bytes.
# HOPSCOPE_BPF turns itself off, and says so, where clang or libbpf is missing: then everything but eBPF works.
option(HOPSCOPE_BPF "Compile the eBPF programs in (needs clang-14, llvm-14, libbpf, libelf)" ON)

if(HOPSCOPE_BPF)
  find_program(HOPSCOPE_BPF_CLANG NAMES clang-14 clang)
  find_program(HOPSCOPE_BPF_STRIP NAMES llvm-strip-14 llvm-strip)
  pkg_check_modules(BPF IMPORTED_TARGET libbpf)
  pkg_check_modules(ELF IMPORTED_TARGET libelf)
  if(NOT HOPSCOPE_BPF_CLANG OR NOT HOPSCOPE_BPF_STRIP OR NOT BPF_FOUND OR NOT ELF_FOUND)
    message(STATUS "eBPF is left out: clang-14, llvm-14, libbpf-dev or libelf-dev is missing")
    set(HOPSCOPE_BPF OFF)
  endif()
endif()

# hopscope_bpf_object(NAME OUT): bpf/NAME.bpf.c becomes a source file, whose path is put into OUT, that defines
# `std::span<const std::uint8_t> hopscope::procmap::bpf_object_NAME()`.
function(hopscope_bpf_object name out)
  set(folder ${CMAKE_SOURCE_DIR}/bpf)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.cc)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${HOPSCOPE_BPF_CLANG} -g -O2 -target bpf -mcpu=v2 -Wall -Werror -fno-stack-protector
            -MD -MF ${object}.d -MT ${object} -c ${folder}/${name}.bpf.c -o ${object}
    # Only DWARF leaves; the type information that libbpf needs (.BTF, .BTF.ext) stays.
    COMMAND ${HOPSCOPE_BPF_STRIP} -g ${object}
    DEPENDS ${folder}/${name}.bpf.c DEPFILE ${object}.d
    COMMENT "eBPF program ${name}" VERBATIM)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [[
#include "procmap/bpf/embedded.h"
// The assembler takes the file in; libbpf wants it aligned like an ELF file.
asm(".pushsection .rodata\n"
    ".balign 16\n"
    "hopscope_bpf_@name@_begin: .incbin \"@object@\"\n"
    "hopscope_bpf_@name@_end: .byte 0\n"
    ".popsection\n");
extern "C" const std::uint8_t hopscope_bpf_@name@_begin[] __attribute__((visibility("hidden")));
extern "C" const std::uint8_t hopscope_bpf_@name@_end[] __attribute__((visibility("hidden")));
namespace hopscope::procmap {
std::span<const std::uint8_t> bpf_object_@name@() { return {hopscope_bpf_@name@_begin, hopscope_bpf_@name@_end}; }
}  // namespace hopscope::procmap
]])
  # The compiler does not see the .incbin as something that the file depends on.
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${object} COMPILE_OPTIONS "-g0")
  set(${out} ${source} PARENT_SCOPE)
endfunction()
