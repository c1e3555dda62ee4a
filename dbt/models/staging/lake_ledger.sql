{{ ledger_entries() }}
