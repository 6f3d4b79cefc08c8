import Foundation
import Testing

/// Where memory is handled by hand, and that every such place says why it is right.
@Suite("Safety") struct SafetyTests {
    private static let tree = SourceTree.shared
    private static let reasonLinesMax = 3

    /// Files outside the drivers that may handle raw memory or vouch for a type's thread safety.
    private static let allowed: [String: String] = [
        "Sources/Base/LockFree/": "tables of atomic cells shared by all threads need raw storage",
        "Sources/Services/Metering/MeteringPipeline.swift":
            "its state belongs to the one thread that it runs",
        "Sources/Services/Metering/EventRecorder.swift":
            "a pool hands its decoders to one caller at a time, under a Mutex",
    ]

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
        let keeping = try Regex(#"^\s*unsafe (self\.)?\w+ = [\w.]+$"#)
        let regex = try Regex(#"(^|[\s(\[=!])unsafe\s+[\w.(\[&]"#)
        var found: [String] = []
        for file in Self.tree.sources {
            for (index, line) in file.code.enumerated() where line.contains(regex) {
                // Keeping a pointer touches no memory; using it does.
                if line.contains(keeping) { continue }
                if !Self.hasReason(file, near: index) { found.append("\(file.path):\(index + 1)") }
            }
        }
        #expect(found.isEmpty, "no SAFETY: comment near\n\(found.joined(separator: "\n"))")
    }

    /// A reason stands within three lines of the place, or anywhere in its function (one for the
    /// whole of it); "here and below" counts to the end of the file.
    private static func hasReason(_ file: SourceFile, near index: Int) -> Bool {
        func isReason(_ line: String) -> Bool { line.contains("SAFETY") }
        let around = max(0, index - reasonLinesMax)...min(file.lines.count - 1, index + 1)
        if file.lines[around].contains(where: isReason) { return true }
        if file.lines[..<index].contains(where: { $0.contains("here and below") }) { return true }
        let functions = FunctionSpan.all(in: file.code).filter { span in
            (span.line...(span.line + span.length)).contains(index + 1)
        }
        guard let outermost = functions.max(by: { $0.length < $1.length }) else { return false }
        var start = outermost.line - 1
        while start > 0, isAboveFunction(file.lines[start - 1]) { start -= 1 }
        return file.lines[start..<(outermost.line - 1 + outermost.length)].contains(where: isReason)
    }

    private static func isAboveFunction(_ line: String) -> Bool {
        let text = line.trimmingPrefix { $0 == " " }
        return text.hasPrefix("//") || text.hasPrefix("@")
    }
}
