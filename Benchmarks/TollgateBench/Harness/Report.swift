import Foundation

/// One line of the final table.
struct ReportRow {
    var name: String
    var ours: String
    var reference = ""
    var ratio = ""
    /// What architecture §9 asks for first; empty for lines given for information.
    var reachFirst = ""
    var isMet: Bool?
}

/// Collects lines, and says at once what was found, so that a long run can be watched.
final class Report {
    private(set) var rows: [ReportRow] = []

    func add(_ row: ReportRow) {
        rows.append(row)
        Self.say("  \(row.name): \(row.ours)" + (row.ratio.isEmpty ? "" : " (\(row.ratio))"))
    }

    /// A line about the run itself, on stderr.
    static func say(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    /// How many of the lines that have a "reach first" do not reach it.
    var missedCount: Int { rows.count { $0.isMet == false } }

    func table() -> String {
        let head = ["benchmark", "ours", "reference", "ratio", "reach first", "met"]
        let lines = rows.map { row in
            [
                row.name, row.ours, row.reference, row.ratio, row.reachFirst,
                row.isMet.map { $0 ? "yes" : "NO" } ?? "",
            ]
        }
        let widths = head.indices.map { column in
            ([head] + lines).map { $0[column].count }.max() ?? 0
        }
        func line(_ cells: [String]) -> String {
            let padded = zip(cells, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            return "| " + padded.joined(separator: " | ") + " |"
        }
        let rule =
            "|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|")
            + "|"
        return ([line(head), rule] + lines.map(line)).joined(separator: "\n")
    }
}

extension Double {
    /// With as many decimals as make three digits.
    var short: String {
        let decimals = magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : 2
        return String(format: "%.\(decimals)f", self)
    }

    /// Events or requests per second, as people write them.
    var rate: String {
        if self >= 1e6 { return (self / 1e6).short + " M/s" }
        if self >= 1e3 { return (self / 1e3).short + " k/s" }
        return short + " /s"
    }
}
