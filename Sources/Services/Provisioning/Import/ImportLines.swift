import MeteringModel
import MeteringPorts

/// Where the lines of an import's body are: ranges of its bytes, no copies. Blank lines do not count
/// as customers, but as lines.
struct ImportLines {
    /// Most customers in one import.
    static let linesMax = 1_000_000
    static let lineBytesMax = 1 << 20

    struct Line {
        /// From 1, as an editor shows it.
        var number: Int
        var range: Range<Int>
    }

    private(set) var lines: [Line] = []

    init(_ body: [UInt8]) throws(ControlProblem) {
        var number = 0
        var start = 0
        while start < body.count {
            let end = body[start...].firstIndex(of: UInt8(ascii: "\n")) ?? body.count
            number += 1
            if !Self.isBlank(body[start..<end]) {
                if end - start > Self.lineBytesMax {
                    throw Self.refusal(
                        number, "the line is longer than \(Self.lineBytesMax) bytes")
                }
                if lines.count == Self.linesMax {
                    throw Self.refusal(
                        number, "an import has at most \(Self.linesMax) customers; split it")
                }
                lines.append(Line(number: number, range: start..<end))
            }
            start = end + 1
        }
    }

    private static func isBlank(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
    }

    private static func refusal(_ line: Int, _ message: String) -> ControlProblem {
        ControlProblem(
            .unprocessable, "too_large", "line \(line): \(message)",
            lines: [.init(line: line, message: message)])
    }
}
