/// One thing that is wrong with a catalog.
public struct CatalogIssue: Error, Sendable, Hashable, CustomStringConvertible {
    /// Where: member names as the catalog document writes them, list positions from 0, e.g.
    /// ["plans", "0", "entitlements", "tokens", "limit"].
    public var path: [String]
    public var message: String

    public init(path: [String], message: String) {
        self.path = path
        self.message = message
    }

    public var description: String { "\(path.joined(separator: ".")): \(message)" }
}

/// Everything that is wrong with a catalog, in the order of the document.
public struct CatalogIssues: Error, Sendable, Hashable, CustomStringConvertible {
    /// More than this are counted, not kept.
    public static let keptMax = 200

    public private(set) var issues: [CatalogIssue] = []
    /// Issues beyond `keptMax`.
    public private(set) var omittedCount = 0

    public init() {}

    public var isEmpty: Bool { issues.isEmpty }

    public mutating func add(_ path: [String], _ message: String) {
        if issues.count < Self.keptMax {
            issues.append(CatalogIssue(path: path, message: message))
        } else {
            omittedCount += 1
        }
    }

    public var description: String {
        let lines = issues.map(\.description).joined(separator: "\n")
        return omittedCount == 0 ? lines : lines + "\nand \(omittedCount) more"
    }
}
