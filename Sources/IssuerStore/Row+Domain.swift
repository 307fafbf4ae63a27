import Foundation
import GRDB
import KeyLifecycle

/// Columns as values of the domain.
///
/// - Throws: `StoreError` with `.corrupt`, or GRDB's `RowDecodingError`, for what no release writes.
extension Row {
    func timestamp(_ column: String) throws -> Timestamp {
        Timestamp(seconds: try decode(Int64.self, forColumn: column))
    }

    func optionalTimestamp(_ column: String) throws -> Timestamp? {
        try decode(Int64?.self, forColumn: column).map(Timestamp.init(seconds:))
    }

    func issuerName(_ column: String) throws -> IssuerName {
        let text = try decode(String.self, forColumn: column)
        guard let name = IssuerName(text) else { throw StoreError.corrupt("the store has an issuer of the invalid name \(text)") }
        return name
    }

    func keyID(_ column: String) throws -> KeyID {
        guard let keyID = KeyID(Array(try decode(Data.self, forColumn: column))) else {
            throw StoreError.corrupt("the store has a CKA_ID that is not \(KeyID.length) bytes long")
        }
        return keyID
    }

    func algorithm(_ column: String) throws -> SignatureAlgorithm {
        let text = try decode(String.self, forColumn: column)
        guard let algorithm = SignatureAlgorithm(rawValue: text) else {
            throw StoreError.corrupt("the store has the unknown algorithm \(text)")
        }
        return algorithm
    }
}

extension KeyID {
    /// As a column holds it.
    var blob: Data { Data(bytes) }
}
