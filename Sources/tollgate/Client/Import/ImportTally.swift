/// What became of the events of one import.
struct ImportTally: Sendable {
    static let examplesMax = 5

    var accepted = 0
    private(set) var rejected: [String: Int] = [:]
    /// The first few rejections, in words.
    private(set) var examples: [String] = []

    var rejectedCount: Int { rejected.values.reduce(0, +) }
    var handled: Int { accepted + rejectedCount }

    mutating func reject(code: String, line: Int, detail: String?) {
        rejected[code, default: 0] += 1
        if examples.count < Self.examplesMax {
            let reason = detail.map { "\(code): \($0)" } ?? code
            examples.append("line \(line): \(TextTable.printable(reason))")
        }
    }

    /// - Parameter lines: where in the file each event of the batch came from.
    mutating func add(_ outcome: EventSender.Outcome, lines: [Int]) {
        accepted += outcome.accepted
        for rejection in outcome.rejected {
            let line = lines.indices.contains(rejection.index) ? lines[rejection.index] : 0
            reject(code: rejection.code, line: line, detail: rejection.detail)
        }
    }

    func summary(seconds: Double) -> String {
        var lines = [
            "events    \(TextTable.grouped(String(handled)))"
                + "  (\(ProgressReport.rate(handled, seconds: seconds)))",
            "accepted  \(TextTable.grouped(String(accepted)))",
            "rejected  \(TextTable.grouped(String(rejectedCount)))",
        ]
        for (code, count) in rejected.sorted(by: { $0.key < $1.key }) {
            lines.append("  \(code)  \(TextTable.grouped(String(count)))")
        }
        return lines.joined(separator: "\n")
    }

    func json(seconds: Double) -> JSONValue {
        .object([
            "events": .integer(handled), "accepted": .integer(accepted),
            "rejected": .object(
                rejected.sorted { $0.key < $1.key }.map {
                    JSONValue.Member(name: $0.key, value: .integer($0.value))
                }),
            "milliseconds": .integer(Int(seconds * 1_000)),
        ])
    }
}
