import Foundation

/// The floors of the building, by folder; imports go to a lower floor only.
enum Floor: Int, Sendable, Comparable, CaseIterable {
    case c, base, core, drivers, adapters, services, edges, program

    static func < (left: Floor, right: Floor) -> Bool { left.rawValue < right.rawValue }

    /// - Parameter path: a path below `Sources`.
    init?(path: String) {
        let parts = path.split(separator: "/")
        guard parts.count > 1, parts[0] == "Sources" else { return nil }
        switch parts[1] {
        case "C": self = .c
        case "Base": self = .base
        case "Core": self = .core
        case "Drivers": self = .drivers
        case "Adapters": self = .adapters
        case "Services": self = .services
        case "Edges": self = .edges
        case "tollgate": self = .program
        default: return nil
        }
    }
}

/// A target below `Sources`, found by its folder: `Sources/<Floor>/<Name>`, or `Sources/tollgate`.
struct SourceTarget: Sendable, Hashable {
    var name: String
    var folder: String
    var floor: Floor

    static func all(in tree: SourceTree) -> [SourceTarget] {
        var found: Set<SourceTarget> = []
        for path in tree.paths(below: "Sources") {
            guard let floor = Floor(path: path) else { continue }
            let parts = path.split(separator: "/").map(String.init)
            if floor == .program {
                found.insert(
                    SourceTarget(name: "tollgate", folder: "Sources/tollgate", floor: floor))
            } else if parts.count > 3 {
                let folder = parts[0...2].joined(separator: "/")
                found.insert(SourceTarget(name: parts[2], folder: folder, floor: floor))
            }
        }
        return found.sorted { $0.folder < $1.folder }
    }
}

/// What the manifest declares, read as text: `floor("Core/QuotaEngine", ["MeteringModel", …])`.
struct DeclaredTarget: Sendable, Hashable {
    /// Path below `Sources`.
    var path: String
    /// Every string in its list of dependencies.
    var dependencies: [String]

    static func all(in manifest: String) -> [DeclaredTarget] {
        manifest.matches(of: /\bfloor\(\s*"([^"]+)"(?:,\s*\[([^\]]*)\])?/).map { match in
            let list = match.output.2.map(String.init) ?? ""
            return DeclaredTarget(
                path: String(match.output.1),
                dependencies: list.matches(of: /"([^"]+)"/).map { String($0.output.1) })
        }
    }
}
