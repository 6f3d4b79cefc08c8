import Foundation

/// One Swift file of the repository.
struct SourceFile: Sendable, CustomStringConvertible {
    /// Relative to the repository's root.
    let path: String
    let lines: [String]
    /// The same lines with comments and the contents of string literals blanked out.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        code = CodeText.blankingCommentsAndStrings(text)
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    var description: String { path }
    var isGenerated: Bool { path.contains("/Generated/") }

    /// Modules named by `import` lines.
    var imports: Set<String> {
        var modules: Set<String> = []
        for line in code {
            var words = line.split(separator: " ").map(String.init)
            while let first = words.first, Self.importPrefixes.contains(first) {
                words.removeFirst()
            }
            guard words.first == "import", words.count >= 2 else { continue }
            let kinds = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
            let name = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
            modules.insert(String(name.prefix { $0 != "." }))
        }
        return modules
    }

    private static let importPrefixes: Set<String> = [
        "package", "public", "internal", "private", "fileprivate", "@testable", "@preconcurrency",
        "@_implementationOnly", "@_exported",
    ]
}

/// The repository as it stands around this file.
struct SourceTree: Sendable {
    static let shared = SourceTree()

    let root: URL
    let files: [SourceFile]
    let manifest: String

    private init() {
        root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        var files: [SourceFile] = []
        for folder in ["Sources", "Tests", "Benchmarks"] {
            files += Self.swiftFiles(root: root, folder: folder)
        }
        self.files = files.sorted { $0.path < $1.path }
        let manifestURL = root.appendingPathComponent("Package.swift")
        manifest = (try? String(contentsOf: manifestURL, encoding: .utf8)) ?? ""
    }

    var sources: [SourceFile] { files.filter { $0.path.hasPrefix("Sources/") } }

    /// Paths relative to the root of all files below `folder`, build products left out.
    func paths(below folder: String) -> [String] {
        Self.paths(root: root, folder: folder)
    }

    private static func swiftFiles(root: URL, folder: String) -> [SourceFile] {
        paths(root: root, folder: folder).filter { $0.hasSuffix(".swift") }.compactMap { path in
            let url = root.appendingPathComponent(path)
            guard let text = try? String(contentsOf: url, encoding: .utf8) else { return nil }
            return SourceFile(path: path, text: text)
        }
    }

    private static func paths(root: URL, folder: String) -> [String] {
        let base = root.appendingPathComponent(folder).path
        guard let walker = FileManager.default.enumerator(atPath: base) else { return [] }
        return walker.compactMap { $0 as? String }
            .filter { !$0.split(separator: "/").contains { $0.hasPrefix(".build") } }
            .map { "\(folder)/\($0)" }
    }
}
