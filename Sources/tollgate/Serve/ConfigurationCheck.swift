import Entitlements
import Foundation
import MeteringModel
import MeteringPorts
import YAMLCatalog

/// `--check-config`: everything that can be known wrong without starting.
enum ConfigurationCheck {
    static func run(_ configuration: Configuration) throws {
        _ = try APIKeyFile.read(configuration.apiKeysFile)
        if let path = configuration.catalogPath {
            do {
                _ = try CatalogManager.compile(
                    CatalogFile.read(path), revision: 1, hash: KeyHash(k0: 0, k1: 0), ledger: nil)
            } catch {
                throw ConfigurationError("\(path) is not a valid catalog:\n\(error)")
            }
        }
        if let url = configuration.redis { try SharedStore.validate(url) }
    }
}
