import Foundation
import MeteringModel
import NIOCore
import Testing

@testable import HTTPAPI

/// The pure parts, without a socket.
@Suite struct PartsTests {
    @Test(arguments: [
        ("2026-11-21T10:15:02.120Z", 1_795_256_102_120_000), ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1), ("2000-02-29T12:00:00Z", 951_825_600_000_000),
        ("0001-01-02T00:00:00Z", -62_135_510_400_000_000),
        ("9999-12-31T23:59:59Z", 253_402_300_799_000_000),
    ])
    func timesGoThereAndBack(_ text: String, _ microseconds: Int64) {
        let instant = Timestamp(microseconds: microseconds)
        #expect(TimeText.read(text) == instant)
        var written: [UInt8] = []
        TimeText.write(instant, to: &written)
        #expect(String(decoding: written, as: UTF8.self) == text)
    }

    @Test func offsetsAndHalfHours() {
        var written: [UInt8] = []
        TimeText.write(Timestamp(seconds: 0), offsetSeconds: -12_600, to: &written)
        #expect(String(decoding: written, as: UTF8.self) == "1969-12-31T20:30:00-03:30")
        #expect(TimeText.read("1969-12-31t20:30:00-03:30") == Timestamp(seconds: 0))
        #expect(TimeText.read("1970-01-01T01:00:00 01:00") == Timestamp(seconds: 0))
        for bad in [
            "", "2026-11-21", "2026-11-21T10:15:02", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z",
            "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00Zz", "+026-01-01T00:00:00Z",
        ] {
            #expect(TimeText.read(bad) == nil, "\(bad)")
        }
    }

    @Test func answersComeOutInOrder() {
        var queue = AnswerQueue()
        func exchange(_ index: Int) -> Exchange {
            Exchange(
                routeIndex: index, isKeepAlive: true, isOldVersion: false, isHead: false,
                requestID: nil)
        }
        let tickets = (0..<5).map { queue.append(exchange($0)) }
        for index in [3, 1, 0] { queue.fill(tickets[index], Answer.json { $0.null() }) }
        #expect(queue.next()?.exchange.routeIndex == 0)
        #expect(queue.next()?.exchange.routeIndex == 1)
        #expect(queue.next() == nil)
        queue.fill(tickets[0], Answer.json { $0.null() })  // too late: nobody waits for it
        #expect(queue.next() == nil && queue.count == 3)
        queue.fill(tickets[2], Answer.json { $0.null() })
        #expect(queue.next()?.exchange.routeIndex == 2)
        #expect(queue.next()?.exchange.routeIndex == 3)
    }

    /// Whatever one byte is changed to: the cursor never reads outside, and what it takes for JSON
    /// Foundation takes too.
    @Test func theCursorIsStrict() {
        let text = Array(
            #"{"a":[1,-2.5e+3,true,null,"x\u00e9\n"],"b":{"c":"é😀"},"d":false}"#.utf8)
        var generator = SplitMix(state: 20_261_121)
        var soundCount = 0
        for _ in 0..<20_000 {
            var bytes = text
            for _ in 0...Int(generator.next() % 3) {
                let index = Int(generator.next() % UInt64(bytes.count))
                switch generator.next() % 3 {
                case 0: bytes[index] = UInt8(truncatingIfNeeded: generator.next())
                case 1: bytes.remove(at: index)
                default: bytes.insert(bytes[Int(generator.next() % UInt64(bytes.count))], at: index)
                }
            }
            if Self.isSound(bytes) {
                soundCount += 1
                let parsed = try? JSONSerialization.jsonObject(
                    with: Data(bytes), options: .fragmentsAllowed)
                #expect(parsed != nil, "\(String(decoding: bytes, as: UTF8.self))")
            }
        }
        #expect(Self.isSound(text) && soundCount > 100)
        for length in 0..<text.count { #expect(!Self.isSound(Array(text[..<length]))) }
    }

    private static func isSound(_ bytes: [UInt8]) -> Bool {
        let buffer = ByteBuffer(bytes: bytes)
        var cursor = JSONCursor()
        do {
            try cursor.value(buffer.readableBytesSpan)
            try cursor.end(buffer.readableBytesSpan)
            return true
        } catch {
            return false
        }
    }

    private struct SplitMix {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var word = state
            word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
            word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
            return word ^ (word >> 31)
        }
    }
}
