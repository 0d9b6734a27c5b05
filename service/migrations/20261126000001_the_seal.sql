-- migrate:up

-- The seal: a Merkle tree over each study's leaves, in tiles, and what was signed of it. Formats are
-- C2SP's: see service/sealing/tiles.py and service/sealing/checkpoints.py.

-- Full tiles, and those above level 0 as far as they are full. The last tile of level 0, while it is
-- partial, is not kept: it is hashed from its leaves, which spares a write of it each second.
create table record.tile (
    study text not null,
    level smallint not null,
    number bigint not null,
    hashes bytea not null,  -- up to 256 of 32 bytes
    primary key (study, level, number)
);
alter table record.tile alter column hashes set storage external;  -- nothing compresses hashes

-- Every head that was signed, as a note with the log's own signatures.
create table record.checkpoint (
    study text not null,
    size bigint not null,
    root bytea not null,
    note text not null,
    signed_at timestamptz not null,
    primary key (study, size)
);

-- What witnesses say of them: the line to be put under the note.
create table record.cosignature (
    study text not null,
    witness text not null,
    size bigint not null,
    line text not null,
    cosigned_at timestamptz not null,
    primary key (study, witness, size)
);

grant select, insert, update on record.tile to parcycle_service;
grant select, insert on record.checkpoint, record.cosignature to parcycle_service;

-- migrate:down
drop table record.cosignature;
drop table record.checkpoint;
drop table record.tile;
