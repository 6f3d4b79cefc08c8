import Foundation
import Testing

/// Imports go strictly down; siblings never import each other.
@Suite("Layers") struct LayerTests {
    private static let tree = SourceTree.shared

    /// Modules of other packages and of the toolchain, with the lowest floor that may use them.
    /// What stands in no list may be used by nobody.
    private static let lowestFloor: [String: Floor] = [
        "Synchronization": .base, "BasicContainers": .base, "Glibc": .drivers,
        "Musl": .drivers,
        "Logging": .adapters, "Yams": .adapters, "Foundation": .adapters,
        "FoundationEssentials": .adapters,
        "NIOCore": .edges, "NIOPosix": .edges, "NIOHTTP1": .edges, "NIOConcurrencyHelpers": .edges,
        "NIOSSL": .edges, "NIOTLS": .edges, "Crypto": .adapters,
        "AsyncHTTPClient": .adapters,
        "ArgumentParser": .program, "Dispatch": .program,
    ]

    /// A module below the floor that the list above gives it, with the reason.
    private static let exceptions: [String: String] = [
        "LockFree Glibc": "maps memory for its tables and asks which processor it runs on",
        "OutboundHTTP NIOCore": "the client library's vocabulary; the one adapter made of it",
        "OutboundHTTP NIOPosix": "the client library's threads, and those of look-ups",
        "OutboundHTTP NIOHTTP1": "the client library's methods",
        "OutboundHTTP NIOSSL": "the client library's certificates",
    ]

    @Test("imports go strictly down") func importsGoDown() {
        let targets = SourceTarget.all(in: Self.tree)
        let floors = Dictionary(
            targets.map { ($0.name, $0.floor) }, uniquingKeysWith: { first, _ in first })
        var wrong: [String] = []
        for target in targets where target.floor != .c {
            let files = Self.tree.sources.filter { $0.path.hasPrefix(target.folder + "/") }
            for file in files {
                for module in file.imports.sorted() where module != target.name {
                    if Self.exceptions["\(target.name) \(module)"] != nil { continue }
                    if let complaint = Self.complaint(target, module, floors) {
                        wrong.append("\(file.path): \(complaint)")
                    }
                }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
    }

    private static func complaint(
        _ target: SourceTarget, _ module: String, _ floors: [String: Floor]
    ) -> String? {
        if let floor = floors[module] {
            if floor >= target.floor { return "\(module) is not below \(target.name)" }
            if floor == .c, target.floor != .drivers {
                return "\(module) is C; only a driver may import it"
            }
            return nil
        }
        guard let lowest = lowestFloor[module] else { return "\(module) is on no list" }
        return target.floor < lowest ? "\(module) is not allowed this far down" : nil
    }

    @Test("drivers know no word of the domain") func driversKnowNoDomain() {
        let wrong = Self.tree.sources.filter { $0.path.hasPrefix("Sources/Drivers/") }
            .filter { !$0.imports.isDisjoint(with: ["MeteringModel", "MeteringPorts"]) }
        #expect(wrong.isEmpty, "\(wrong)")
    }

    @Test("services know no adapter and no driver but the decoder") func servicesKnowPorts() {
        let allowed: Set = ["EventDecoding"]
        let targets = SourceTarget.all(in: Self.tree)
        let forbidden = Set(
            targets.filter { [.drivers, .adapters].contains($0.floor) }.map(\.name)
        ).subtracting(allowed)
        let wrong = Self.tree.sources
            .filter {
                $0.path.hasPrefix("Sources/Services/") || $0.path.hasPrefix("Sources/Edges/")
            }
            .filter { !$0.imports.isDisjoint(with: forbidden) }
        #expect(wrong.isEmpty, "\(wrong)")
    }

    @Test("the manifest draws the same floors") func manifestGoesDown() {
        let declared = DeclaredTarget.all(in: Self.tree.manifest)
        #expect(!declared.isEmpty, "the manifest's targets are not found any more")
        let floors = Dictionary(
            declared.compactMap { target -> (String, Floor)? in
                let name = String(target.path.split(separator: "/").last ?? "")
                return Floor(path: "Sources/" + target.path).map { (name, $0) }
            }, uniquingKeysWith: { first, _ in first })
        var wrong: [String] = []
        for target in declared {
            guard let floor = Floor(path: "Sources/" + target.path) else {
                wrong.append("\(target.path) is on no floor")
                continue
            }
            for name in target.dependencies {
                if let other = floors[name], other >= floor {
                    wrong.append("\(target.path) depends on \(name)")
                }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
    }
}
