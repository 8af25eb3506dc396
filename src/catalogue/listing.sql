-- Version 3: what is known of how a bucket lists.

-- 1: in byte order, and from where it is told, so that parts can be listed side by side. Learnt
-- anew where it is lost; no journal has it.
ALTER TABLE source ADD COLUMN byte_order INTEGER NOT NULL DEFAULT 0 CHECK (byte_order IN (0, 1));
