import Foundation
import Testing

/// The style law that a reader can see: sizes, words, calls.
@Suite("Style") struct StyleTests {
    private static let tree = SourceTree.shared
    private static let fileLinesMax = 500
    private static let functionLinesMax = 70

    private struct Ban: Sendable {
        var pattern: String
        var instead: String
        /// Whether it holds for a file.
        var applies: @Sendable (String) -> Bool
    }

    /// Where a thread of our own may sleep, and why.
    private static let pauses: [String: String] = [
        "Sources/Services/Enforcement/BlockingPause.swift": "waits on an owned thread, bounded",
        "Sources/Services/Metering/MeteringPipeline.swift": "backs off on its own thread",
        "Tests/IntegrationTests/Support/Clients.swift": "a client that tries again, bounded",
        "Tests/LockFreeTests/TestSupport.swift": "gives the processor to another thread",
    ]

    private static let bans: [Ban] = [
        Ban(pattern: #"\btry!"#, instead: "handle the error", applies: { _ in true }),
        Ban(pattern: #"\bas!"#, instead: "as? with an answer for nil", applies: { _ in true }),
        Ban(
            pattern: #"\bfatalError\("#, instead: "an error, or precondition for our own bugs",
            applies: { _ in true }),
        Ban(
            pattern: #"\bThread\.sleep\b"#, instead: "waiting for the thing itself",
            applies: { !pauses.keys.contains($0) }),
        Ban(
            pattern: #"(^|[^.\w])print\("#, instead: "the log, or Terminal in the program",
            applies: { !$0.hasPrefix("Sources/tollgate/") && !$0.hasPrefix("Benchmarks/") }),
        Ban(
            pattern: #"\bDispatchQueue\b"#, instead: "an owned thread, or a task",
            applies: { $0.hasPrefix("Sources/") && !$0.hasPrefix("Sources/tollgate/") }),
        Ban(
            pattern: #"\bTask\.detached\b"#, instead: "a task that somebody owns",
            applies: { $0.hasPrefix("Sources/") }),
    ]

    @Test("the tree is found") func treeIsFound() {
        #expect(Self.tree.sources.count > 5)
        #expect(Self.tree.manifest.contains("swift-tools-version"))
    }

    @Test("no file is longer than the cap") func fileLength() {
        let tooLong = Self.tree.files.filter { !$0.isGenerated }
            .filter { $0.lines.count > Self.fileLinesMax + 1 }
            .map { "\($0.path): \($0.lines.count) lines" }
        #expect(tooLong.isEmpty, "split: \(tooLong.joined(separator: ", "))")
    }

    @Test("no function is longer than the cap") func functionLength() {
        var tooLong: [String] = []
        for file in Self.tree.sources where !file.isGenerated {
            for span in FunctionSpan.all(in: file.code) where span.length > Self.functionLinesMax {
                tooLong.append("\(file.path):\(span.line): \(span.name) has \(span.length) lines")
            }
        }
        #expect(tooLong.isEmpty, "\(tooLong.joined(separator: "\n"))")
    }

    @Test("banned calls") func bannedCalls() throws {
        var found: [String] = []
        for ban in Self.bans {
            let regex = try Regex(ban.pattern)
            for file in Self.tree.files where ban.applies(file.path) {
                for (index, line) in file.code.enumerated() where line.contains(regex) {
                    found.append("\(file.path):\(index + 1): use \(ban.instead)")
                }
            }
        }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    @Test("nothing is put off") func noReminders() throws {
        // Written in pieces so that this file does not find itself.
        let words = ["FIX" + "ME", "TO" + "DO", "X" + "XX"]
        let regex = try Regex(#"\b("# + words.joined(separator: "|") + #")\b"#)
        var found: [String] = []
        for file in Self.tree.files {
            for (index, line) in file.lines.enumerated() where line.contains(regex) {
                found.append("\(file.path):\(index + 1)")
            }
        }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    @Test("no path of somebody's machine") func noMachinePaths() throws {
        let homes = ["ho" + "me", "ro" + "ot", "Us" + "ers", "wo" + "rk"]
        let regex = try Regex(#"(^|[\s"'=(`])/("# + homes.joined(separator: "|") + #")/\w"#)
        var found: [String] = []
        for file in Self.tree.files {
            for (index, line) in file.lines.enumerated() where line.contains(regex) {
                found.append("\(file.path):\(index + 1)")
            }
        }
        let texts = Self.tree.paths(below: "deploy") + ["README.md", "Package.swift"]
        for path in texts where !path.hasSuffix(".csv") {
            let url = Self.tree.root.appendingPathComponent(path)
            guard let text = try? String(contentsOf: url, encoding: .utf8) else { continue }
            if text.contains(regex) { found.append(path) }
        }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    @Test("every target explains itself") func documentation() {
        let pages = Self.tree.paths(below: "Sources").filter {
            $0.contains(".docc/") && $0.hasSuffix(".md")
        }
        let missing = SourceTarget.all(in: Self.tree).filter { $0.floor != .c }.filter { target in
            !pages.contains { $0.hasPrefix(target.folder + "/") }
        }
        #expect(missing.isEmpty, "no DocC catalog in \(missing.map(\.folder))")
    }
}
