import EventDecoding
import Glibc
import Testing

/// The decoder reads records where the log left them, so it must never touch the byte behind one.
@Suite("No read beyond the input")
struct GuardPageTests {
    @Test func documentsMayEndAtTheEndOfMemory() throws {
        let pageSize = Int(getpagesize())
        let mapped = unsafe mmap(
            nil, 2 * pageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let base = unsafe mapped, unsafe base != MAP_FAILED else {
            Issue.record("no memory to map")
            return
        }
        defer { unsafe munmap(base, 2 * pageSize) }
        try #require(unsafe mprotect(base + pageSize, pageSize, PROT_NONE) == 0)
        let harness = Harness()

        func atTheEnd<R>(_ bytes: [UInt8], _ body: (RawSpan) -> R) -> R {
            let room = unsafe UnsafeMutableRawBufferPointer(
                start: base + (pageSize - bytes.count), count: bytes.count)
            unsafe room.copyBytes(from: bytes)
            return unsafe body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(room)))
        }

        func decode(_ bytes: [UInt8]) -> Bool {
            atTheEnd(bytes) { span in
                do throws(DecodeFailure) {
                    return try harness.decoder.decodeStructured(span) { $0.has(.id) }
                } catch {
                    return false
                }
            }
        }

        // Every length modulo the width of a block, whole and cut off in every place.
        for length in 0..<140 {
            let bytes = Array(event(#""a":"\#(String(repeating: "é", count: length))""#).utf8)
            #expect(decode(bytes))
        }
        let whole = Array(event(#""a":"é😀\ud83d\ude00","b":[tru,1.5e3,"x"]"#).utf8)
        for length in 0...whole.count { #expect(!decode(Array(whole[..<length]))) }
        for tail in [[0xC3], [0xE2, 0x82], [0xF0, 0x9F], [0x22], [0x5C], [0x2D]] as [[UInt8]] {
            #expect(!decode(Array(#"{"a":""#.utf8) + tail))
            #expect(!decode(tail))
        }

        let headers = flatHeaders([("ce_id", "é"), ("content-type", "a/json"), ("ce_x", "y")])
        for length in 0...headers.count {
            _ = atTheEnd(Array(headers[..<length])) { EventDecoder.isStructured(headers: $0) }
        }
        for scalar in ["1", "12", "true", #""x""#, "[1,2]", "-"] {
            let isValid = atTheEnd(Array(scalar.utf8)) { span in
                do throws(DecodeFailure) {
                    try harness.decoder.validate(span)
                    return true
                } catch {
                    return false
                }
            }
            #expect(isValid == (scalar != "-"))
        }
    }
}
