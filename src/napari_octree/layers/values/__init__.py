"""Values under the cursor and along rays, from memory."""
