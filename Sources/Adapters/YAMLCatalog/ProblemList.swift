import MeteringPorts
import Yams

/// A position in the text; lines and columns (in characters) from 1.
struct Place {
    var line: Int
    var column: Int

    init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    init(_ mark: Mark) {
        line = mark.line
        column = mark.column
    }
}

/// Collects problems up to a bound.
struct ProblemList {
    /// More than this are counted, not kept.
    static let keptMax = 200

    private var problems: [CatalogProblems.Problem] = []
    private var omittedCount = 0

    /// - Parameter place: nil for the document as a whole.
    mutating func add(_ place: Place?, _ message: String) {
        guard problems.count < Self.keptMax else {
            omittedCount += 1
            return
        }
        problems.append(.init(line: place?.line ?? 1, column: place?.column ?? 1, message: message))
    }

    mutating func omit(_ count: Int) { omittedCount += count }

    /// In the order of the text; nil when there is no problem.
    var error: CatalogProblems? {
        guard !problems.isEmpty else { return nil }
        var sorted = problems.sorted {
            ($0.line, $0.column, $0.message) < ($1.line, $1.column, $1.message)
        }
        if omittedCount > 0, let last = sorted.last {
            sorted.append(
                .init(
                    line: last.line, column: last.column,
                    message: "and \(omittedCount) more problems"))
        }
        return CatalogProblems(sorted)
    }
}
