import Foundation
import Testing

/// Where memory is handled by hand, and that every such place says why it is right.
@Suite("Safety") struct SafetyTests {
    private static let tree = SourceTree.shared
    private static let reasonLinesAboveMax = 3

    /// Files outside the drivers that may handle raw memory or vouch for a type's thread safety.
    private static let allowed: [String: String] = [
        "Sources/Base/LockFree/": "tables of atomic cells shared by all threads need raw storage"
    ]

    /// Lines of unsafe code outside the drivers that need no reason of their own. None so far.
    private static let withoutReason: Set<String> = []

    @Test("raw memory stays in the drivers") func rawMemory() throws {
        let regex = try Regex(
            #"@unchecked\s+Sendable|\bUnsafe(Mutable|Raw|Buffer|Pointer)\w*|\bOpaquePointer\b|\bUnmanaged\b"#
        )
        var found: [String] = []
        for file in Self.tree.sources {
            if file.path.hasPrefix("Sources/Drivers/") || file.path.hasPrefix("Sources/C/") {
                continue
            }
            if Self.allowed.keys.contains(where: { file.path.hasPrefix($0) }) { continue }
            for (index, line) in file.code.enumerated() where line.contains(regex) {
                found.append("\(file.path):\(index + 1)")
            }
        }
        #expect(found.isEmpty, "only drivers may:\n\(found.joined(separator: "\n"))")
    }

    @Test("every unsafe expression says why it is right") func reasons() throws {
        let regex = try Regex(#"(^|[\s(\[=!])unsafe\s+[\w.(\[&]"#)
        var found: [String] = []
        for file in Self.tree.sources {
            for (index, line) in file.code.enumerated() where line.contains(regex) {
                let place = "\(file.path):\(index + 1)"
                if Self.withoutReason.contains(place) { continue }
                if !Self.hasReason(file, above: index) { found.append(place) }
            }
        }
        #expect(found.isEmpty, "no SAFETY: comment near\n\(found.joined(separator: "\n"))")
    }

    /// A reason counts for the line itself and for the lines below it up to the bound; a run of
    /// unsafe lines shares one.
    private static func hasReason(_ file: SourceFile, above index: Int) -> Bool {
        var line = index
        var plainLines = 0
        while line >= 0 {
            if file.lines[line].contains("SAFETY:") { return true }
            let text = file.lines[line].trimmingCharacters(in: .whitespaces)
            let isPartOfRun = text.hasPrefix("//") || file.code[line].contains("unsafe ")
            if !isPartOfRun { plainLines += 1 }
            if plainLines > reasonLinesAboveMax { return false }
            line -= 1
        }
        return false
    }
}
