// Is this test program built with a sanitizer? Those have an allocator of their own that mallinfo2() and the resident
// set tell nothing of: what counts memory runs without them, in test_release.
#pragma once

namespace hopscope::tests {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kHeapIsCounted = false;
#elif defined(__has_feature)
inline constexpr bool kHeapIsCounted = !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
inline constexpr bool kHeapIsCounted = true;
#endif

}  // namespace hopscope::tests
